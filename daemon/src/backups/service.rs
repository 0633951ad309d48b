//! `BackupService` over gRPC.

use larder_proto::pb::{self, backup_service_server::BackupService};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Backups, Name, NotOne, Order, messages};
use crate::{
    access::Caller,
    db::{DumpError, Unsuited},
    jobs,
    outcome::{Kind, Refusal, chain},
};

/// `BackupService`.
#[derive(Clone)]
pub struct Service(Backups);

impl From<NotOne> for Refusal {
    fn from(error: NotOne) -> Self {
        Self::new(Kind::NotFound, error.to_string())
    }
}

impl From<Unsuited> for Refusal {
    fn from(error: Unsuited) -> Self {
        Self::new(Kind::FailedPrecondition, error.to_string())
    }
}

impl From<DumpError> for Refusal {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Broken { .. } | DumpError::NotInstalled(_) => {
                Self::new(Kind::FailedPrecondition, error.to_string())
            }
            DumpError::Database(error) => error.into(),
            DumpError::File { .. } => Self::new(Kind::Unavailable, chain(&error)),
            DumpError::Spawn { .. } | DumpError::Failed { .. } => Self::internal(error),
        }
    }
}

impl Service {
    /// A service over the hub's backups.
    pub fn new(backups: Backups) -> Self {
        Self(backups)
    }

    async fn list(&self) -> Result<pb::ListBackupsResponse, Refusal> {
        let all = self.0.list().await.map_err(|error| Refusal::new(Kind::Unavailable, error.to_string()))?;
        let last_restore = self.0.0.last.as_ref().map(messages::outcome);
        Ok(pb::ListBackupsResponse { backups: all.into_iter().map(messages::backup).collect(), last_restore })
    }

    /// Reads the backup to its end first: what can be known to fail fails before the hub stops for it.
    async fn restore(&self, request: &pb::RestoreBackupRequest, by: &str) -> Result<Order, Refusal> {
        let name: Name = request.name.parse()?;
        if !self.0.list().await.is_ok_and(|all| all.iter().any(|backup| backup.name == name)) {
            return Err(NotOne(request.name.clone()).into());
        }
        let db = &self.0.0.db;
        let contents = db.tools().newest().await?.read(&self.0.path(name)).await?;
        contents.check(db.hub().id, request.take_over)?;
        let order = Order { id: Uuid::new_v4(), name, take_over: request.take_over, discard: request.discard };
        let is_first = self.0.0.orders.send_if_modified(|wanted| {
            let is_first = wanted.is_none();
            wanted.get_or_insert_with(|| order.clone());
            is_first
        });
        if !is_first {
            return Err(Refusal::new(Kind::FailedPrecondition, "another backup is being restored"));
        }
        tracing::warn!(backup.name = %name, user.name = by, "the hub stops to restore a backup of its database");
        Ok(order)
    }
}

#[tonic::async_trait]
impl BackupService for Service {
    async fn list_backups(
        &self,
        _request: Request<pb::ListBackupsRequest>,
    ) -> Result<Response<pb::ListBackupsResponse>, Status> {
        Ok(Response::new(self.list().await?))
    }

    async fn create_backup(
        &self,
        _request: Request<pb::CreateBackupRequest>,
    ) -> Result<Response<pb::CreateBackupResponse>, Status> {
        let job = self.0.begin(false).await.map_err(Refusal::from)?;
        Ok(Response::new(pb::CreateBackupResponse { job: Some(jobs::message(&job)) }))
    }

    async fn restore_backup(
        &self,
        request: Request<pb::RestoreBackupRequest>,
    ) -> Result<Response<pb::RestoreBackupResponse>, Status> {
        let by = Caller::of_rpc(&request)?.name.clone();
        let order = self.restore(request.get_ref(), &by).await?;
        Ok(Response::new(pb::RestoreBackupResponse { id: order.id.to_string() }))
    }
}
