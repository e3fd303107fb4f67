//! The shared queries, made for PostgreSQL.

crate::queries::backend_queries!(diesel::pg::Pg);
