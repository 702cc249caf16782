-- What tells a change from another one that has its position: a failover to a standby that had not heard of a change
-- gives the position again.
ALTER TABLE changes ADD COLUMN mark UUID NOT NULL DEFAULT gen_random_uuid();
