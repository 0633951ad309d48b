//! The routes against a real PostgreSQL and real files.
