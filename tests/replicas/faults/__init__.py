"""Promise 10 behind a balancer: three replicas, one of which meets a fault at a step of the switch."""
