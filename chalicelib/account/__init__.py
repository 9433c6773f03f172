"""The account from above: which pipelines have a gate, what they wait for, and who waits now. For
the Board and the command line; the gate and the retry load none of it.
"""
