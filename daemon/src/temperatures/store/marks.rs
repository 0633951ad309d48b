//! The newest datagram that was taken from each camera.

use larder_proto::wire::{CameraId, camera::ReadingMark};
use uuid::Uuid;

use super::{Store, get};
use crate::db;

impl Store {
    pub(in crate::temperatures) async fn marks(&self) -> Result<Vec<(CameraId, ReadingMark)>, db::Error> {
        let client = self.db.client().await?;
        let rows = client.query("SELECT camera_id, boot, seq FROM reading_marks", &[]).await?;
        let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        rows.iter()
            .map(|row| {
                let mark = ReadingMark { boot: number(get(row, "boot")?), seq: number(get(row, "seq")?) };
                Ok((CameraId(get(row, "camera_id")?), mark))
            })
            .collect()
    }

    pub(in crate::temperatures) async fn save_marks(&self, marks: &[(CameraId, ReadingMark)]) -> Result<(), db::Error> {
        let cameras: Vec<Uuid> = marks.iter().map(|(camera, _)| camera.0).collect();
        let boots: Vec<i64> = marks.iter().map(|(_, mark)| mark.boot.into()).collect();
        let seqs: Vec<i64> = marks.iter().map(|(_, mark)| mark.seq.into()).collect();
        let sql = "INSERT INTO reading_marks (camera_id, boot, seq)
                   SELECT cameras.id, mark.boot, mark.seq
                   FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS mark (camera_id, boot, seq)
                   JOIN cameras ON cameras.id = mark.camera_id
                   ON CONFLICT (camera_id) DO UPDATE SET boot = excluded.boot, seq = excluded.seq";
        self.db.client().await?.execute(sql, &[&cameras, &boots, &seqs]).await?;
        Ok(())
    }
}
