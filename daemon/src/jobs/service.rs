//! `JobService` over gRPC.

use std::pin::Pin;

use futures_util::{Stream, stream};
use larder_proto::pb::{self, job_service_server::JobService};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::message;
use crate::{
    access::Caller,
    db::jobs::{Filter, Job, JobId, Jobs},
    outcome::Refusal,
    pb_page::{self, List},
};

const LIST: List = List("jobs");

/// `JobService`.
#[derive(Clone)]
pub struct Service(Jobs);

impl Service {
    /// A service over the hub's jobs.
    pub fn new(jobs: Jobs) -> Self {
        Self(jobs)
    }

    async fn list(&self, request: &pb::ListJobsRequest) -> Result<pb::ListJobsResponse, Refusal> {
        let size = usize::from(pb_page::size(request.page_size)?);
        let before = LIST.after(&request.page_token, |id| Uuid::try_parse(id).ok().map(JobId))?;
        let kind = Some(request.kind.as_str()).filter(|kind| !kind.is_empty());
        // One more than fits tells whether there is another page.
        let mut page = if request.unfinished_only {
            let wanted =
                |job: &Job| kind.is_none_or(|kind| kind == job.kind) && before.is_none_or(|before| job.id < before);
            self.0.unfinished().into_iter().filter(wanted).take(size + 1).collect()
        } else {
            self.0.list(Filter { kind, about: None, before }, size + 1).await?
        };
        let is_more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| is_more).map(|last| LIST.token(last.id));
        Ok(pb::ListJobsResponse { jobs: page.iter().map(message).collect(), next_page_token: next.unwrap_or_default() })
    }
}

#[tonic::async_trait]
impl JobService for Service {
    async fn list_jobs(&self, request: Request<pb::ListJobsRequest>) -> Result<Response<pb::ListJobsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }

    async fn get_job(&self, request: Request<pb::GetJobRequest>) -> Result<Response<pb::Job>, Status> {
        let job = self.0.get(id(&request.get_ref().id)?).await.map_err(Refusal::from)?;
        Ok(Response::new(message(&job)))
    }

    type WatchJobsStream = Pin<Box<dyn Stream<Item = Result<pb::Job, Status>> + Send>>;

    async fn watch_jobs(
        &self,
        request: Request<pb::WatchJobsRequest>,
    ) -> Result<Response<Self::WatchJobsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        let only = match request.get_ref().id.as_str() {
            "" => None,
            text => Some(id(text)?),
        };
        let watch = self.0.watch(only).await.map_err(Refusal::from)?;
        let jobs = stream::unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            let next = next.map(|job| message(&job)).map_err(|error| Status::from(Refusal::from(error)));
            Some((next, watch))
        });
        Ok(Response::new(Box::pin(caller.until_revoked(jobs))))
    }

    async fn cancel_job(&self, request: Request<pb::CancelJobRequest>) -> Result<Response<pb::Job>, Status> {
        let by = Caller::of_rpc(&request)?.name.clone();
        let job = self.0.cancel(id(&request.get_ref().id)?).await.map_err(Refusal::from)?;
        tracing::info!(job.kind, job.id = %job.id, job.title, user.name = %by, "a job was cancelled");
        Ok(Response::new(message(&job)))
    }
}

fn id(text: &str) -> Result<JobId, Refusal> {
    Uuid::try_parse(text).ok().map(JobId).ok_or_else(|| Refusal::field("id", format!("{text:?} is not a UUID")))
}
