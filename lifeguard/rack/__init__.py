"""Looks at all that an operator must get right for a rack, and says what to mend."""
