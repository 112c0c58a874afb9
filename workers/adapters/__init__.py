"""What one request may add to a model and another not: LoRAs and ControlNets."""
