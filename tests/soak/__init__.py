"""A server under mixed load for a long time: what should not grow is sampled, and its slope is judged.

`test_soak.py` starts a server, `crowd.py` and its neighbours use it in every way that leaves something
behind, `samples.py` measures it from outside, and `slopes.py` tells a leak from noise.
"""
