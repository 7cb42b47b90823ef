"""What inference costs: methods and perturbations, each by the released procedure, by tiles and exactly."""
