-- The newest changed route of an agent, found without walking the traces that took the same way.
CREATE INDEX traceroute_by_route_change ON traceroute (account_id, agent_id, timestamp DESC, id) WHERE path_changed;
