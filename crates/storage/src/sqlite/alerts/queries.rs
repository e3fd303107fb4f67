//! The shared queries about alerts, made for SQLite.

crate::alert_queries::backend_alert_queries!(diesel::sqlite::Sqlite);
