"""Lists of terms, and where their terms stand in texts.

`files` reads the lists, `folding` says which characters count as one, `trie` walks, `borders` knows where words end,
and `matcher` is what others call. The signals are `pipeline.signals.lexicon` and `pipeline.signals.advertising`.
"""
