DROP INDEX alert_state_by_agent;
DROP TABLE agent_removal;
DROP TABLE agent_health;
DROP TABLE agent_token;
DROP TABLE enrolment_token;
