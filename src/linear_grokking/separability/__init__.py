"""Linear separability: verdicts with certificates, limit directions and margins."""
