"""What strings are paid for: scores, brought to one range and put together to one number."""
