crate::queries::backend_queries!(diesel::sqlite::Sqlite);
