//! Users, sessions and tokens in PostgreSQL.

use jiff::Timestamp;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{
    Role, SecretHash,
    directory::{Identity, Kind, Loaded},
};
use crate::{
    db::{Db, Error},
    named::Named,
};

/// What a session is called that a sign-in code made before there was a user.
const NO_USER: &str = "sign-in link";

/// The rows.
pub(super) struct Store(Db);

/// A user who can sign in.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) role: Role,
}

/// A token, without its secret.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
}

impl Named for Token {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Store {
    pub(super) fn new(db: Db) -> Self {
        Self(db)
    }

    /// All that the gate must know.
    pub(super) async fn load(&self) -> Result<Loaded, Error> {
        let client = self.0.client().await?;
        let has_admin =
            client.query_one("SELECT EXISTS (SELECT FROM users WHERE role = 'admin')", &[]).await?.try_get(0)?;
        let sessions = "SELECT s.secret_hash, s.role, s.last_used_at, u.name, u.role AS user_role
            FROM sessions s LEFT JOIN users u ON u.id = s.user_id";
        let mut identities = Vec::new();
        for row in client.query(sessions, &[]).await? {
            let name: Option<String> = row.try_get("name")?;
            let own = role(&row, "role", "sessions")?;
            let of_user = if name.is_some() { role(&row, "user_role", "users")? } else { own };
            identities.push(Identity {
                hash: hash(&row, "sessions")?,
                kind: Kind::Session,
                name: name.unwrap_or_else(|| NO_USER.to_owned()),
                // A user who may do less than before may do less in old sessions too.
                role: own.min(of_user),
                expires_at: None,
                last_used_at: row.try_get("last_used_at")?,
            });
        }
        for row in client.query("SELECT * FROM tokens", &[]).await? {
            let token = token(&row)?;
            identities.push(Identity {
                hash: hash(&row, "tokens")?,
                kind: Kind::Token,
                name: token.name,
                role: token.role,
                expires_at: token.expires_at,
                last_used_at: token.last_used_at,
            });
        }
        Ok(Loaded { has_admin, identities })
    }

    /// The user of that name and the hash of the password.
    pub(super) async fn user(&self, name: &str) -> Result<Option<(User, String)>, Error> {
        let client = self.0.client().await?;
        let row = client.query_opt("SELECT id, name, role, password_hash FROM users WHERE name = $1", &[&name]).await?;
        row.map(|row| Ok((user(&row)?, row.try_get("password_hash")?))).transpose()
    }

    /// The admin who was there first.
    pub(super) async fn first_admin(&self) -> Result<Option<User>, Error> {
        let client = self.0.client().await?;
        let oldest = "SELECT id, name, role FROM users WHERE role = 'admin' ORDER BY created_at, id LIMIT 1";
        client.query_opt(oldest, &[]).await?.as_ref().map(user).transpose()
    }

    /// Makes an admin if there is none; `None` when there is one already, or another request was faster.
    pub(super) async fn create_first_admin(&self, name: &str, password_hash: &str) -> Result<Option<User>, Error> {
        let mut client = self.0.client().await?;
        let transaction = client.transaction().await?;
        // Of two requests at once the second waits here, and then sees the first one's admin.
        transaction.batch_execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE").await?;
        let insert = "INSERT INTO users (id, name, password_hash, role) SELECT $1, $2, $3, 'admin'
            WHERE NOT EXISTS (SELECT FROM users WHERE role = 'admin')";
        let id = Uuid::now_v7();
        let made = transaction.execute(insert, &[&id, &name, &password_hash]).await?;
        transaction.commit().await?;
        Ok((made == 1).then(|| User { id, name: name.to_owned(), role: Role::Admin }))
    }

    pub(super) async fn create_session(
        &self,
        secret: SecretHash,
        user: Option<Uuid>,
        role: Role,
        now: Timestamp,
    ) -> Result<(), Error> {
        let insert = "INSERT INTO sessions (secret_hash, user_id, role, created_at, last_used_at)
            VALUES ($1, $2, $3, $4, $4)";
        let client = self.0.client().await?;
        client.execute(insert, &[&secret.0.as_slice(), &user, &role.name(), &now]).await?;
        Ok(())
    }

    pub(super) async fn remove_session(&self, secret: SecretHash) -> Result<(), Error> {
        let client = self.0.client().await?;
        client.execute("DELETE FROM sessions WHERE secret_hash = $1", &[&secret.0.as_slice()]).await?;
        Ok(())
    }

    /// Removes sessions that were not used since then.
    pub(super) async fn remove_idle_sessions(&self, since: Timestamp) -> Result<u64, Error> {
        let client = self.0.client().await?;
        Ok(client.execute("DELETE FROM sessions WHERE last_used_at <= $1", &[&since]).await?)
    }

    /// `false` when there is a token of that name.
    pub(super) async fn create_token(&self, token: &Token, secret: SecretHash) -> Result<bool, Error> {
        let insert = "INSERT INTO tokens (id, name, secret_hash, role, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        let Token { id, name, role, created_at, expires_at, .. } = token;
        let client = self.0.client().await?;
        match client.execute(insert, &[id, name, &secret.0.as_slice(), &role.name(), created_at, expires_at]).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All tokens, by name.
    pub(super) async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let client = self.0.client().await?;
        client.query("SELECT * FROM tokens", &[]).await?.iter().map(token).collect()
    }

    /// Removes the token of this id, or else of this name; its name, or `None` when there is none.
    pub(super) async fn remove_token(&self, id_or_name: &str) -> Result<Option<String>, Error> {
        let delete = "DELETE FROM tokens WHERE id = COALESCE(
            (SELECT id FROM tokens WHERE id::text = lower($1)), (SELECT id FROM tokens WHERE name = $1)) RETURNING name";
        let client = self.0.client().await?;
        let row = client.query_opt(delete, &[&id_or_name]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Notes when sessions and tokens were used last.
    pub(super) async fn note_uses(&self, uses: &[(SecretHash, Kind, Timestamp)]) -> Result<(), Error> {
        let client = self.0.client().await?;
        for (kind, update) in [
            (
                Kind::Session,
                "UPDATE sessions SET last_used_at = u.at FROM unnest($1::bytea[], $2::timestamptz[]) u (hash, at)
                WHERE secret_hash = u.hash AND last_used_at < u.at",
            ),
            (
                Kind::Token,
                "UPDATE tokens SET last_used_at = u.at FROM unnest($1::bytea[], $2::timestamptz[]) u (hash, at)
                WHERE secret_hash = u.hash AND (last_used_at IS NULL OR last_used_at < u.at)",
            ),
        ] {
            let (hashes, times): (Vec<_>, Vec<_>) =
                uses.iter().filter(|(_, of, _)| *of == kind).map(|(hash, _, at)| (hash.0.to_vec(), *at)).unzip();
            if !hashes.is_empty() {
                client.execute(update, &[&hashes, &times]).await?;
            }
        }
        Ok(())
    }
}

fn user(row: &Row) -> Result<User, Error> {
    Ok(User { id: row.try_get("id")?, name: row.try_get("name")?, role: role(row, "role", "users")? })
}

fn token(row: &Row) -> Result<Token, Error> {
    Ok(Token {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: role(row, "role", "tokens")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}

fn role(row: &Row, column: &str, table: &'static str) -> Result<Role, Error> {
    let name: String = row.try_get(column)?;
    Role::from_name(&name).ok_or_else(|| Error::Broken { table, why: format!("role {name}") })
}

fn hash(row: &Row, table: &'static str) -> Result<SecretHash, Error> {
    let bytes: Vec<u8> = row.try_get("secret_hash")?;
    let len = bytes.len();
    bytes.try_into().map(SecretHash).ok().ok_or_else(|| Error::Broken { table, why: format!("a hash of {len} bytes") })
}
