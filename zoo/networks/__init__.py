"""The networks of the zoo: encoders that read an input, heads that answer, and what joins them."""
