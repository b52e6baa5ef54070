"""What torch does in training steps of an exported module, measured: the other side of `netcalc.memory`."""
