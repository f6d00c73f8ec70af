"""Swarms: search the span of several experts of one network for one that does what none of them does, and know what it was."""
