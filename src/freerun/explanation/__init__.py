"""One string under the glass: its tokens, what they mean, how they are derived, and what a model thinks of each."""
