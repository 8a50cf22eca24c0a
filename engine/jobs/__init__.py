"""How work runs: durable jobs, one host process a machine, one worker process a task."""
