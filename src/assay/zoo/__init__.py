"""Networks whose answer is known, so that the verdict's error rates are."""
