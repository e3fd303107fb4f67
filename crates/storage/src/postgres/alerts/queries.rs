//! The shared queries about alerts, made for PostgreSQL.

crate::alert_queries::backend_alert_queries!(diesel::pg::Pg);
