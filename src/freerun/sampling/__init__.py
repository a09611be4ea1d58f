"""THE decoding loop: free running, completion of prefixes, beams; and the log-probability of given sequences."""
