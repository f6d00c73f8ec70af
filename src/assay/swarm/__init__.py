"""Swarms: search in the span of several experts of one network for a combination with a skill that none of them has, and a
diagnosis of what was found."""
