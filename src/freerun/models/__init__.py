"""Networks without losses."""
