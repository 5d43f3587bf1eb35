"""The pool's decisions, made purely: what is known of the pool goes in, a decision and its reasons come out."""
