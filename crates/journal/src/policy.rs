//! When to take a snapshot: pure functions of what was measured.

/// What a load would have to replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// Records after the newest snapshot.
    pub records: u64,
    /// Those of them that carry data.
    pub data_records: u64,
    /// Bytes of these records in the store.
    pub bytes: u64,
}

impl std::ops::Sub for Debt {
    type Output = Self;

    fn sub(self, paid: Self) -> Self {
        Self {
            records: self.records - paid.records,
            data_records: self.data_records - paid.data_records,
            bytes: self.bytes - paid.bytes,
        }
    }
}

/// Records that a load may have to replay before a snapshot is due.
const RECORDS_MAX: u64 = 64;
/// Bytes that a load may have to replay before a snapshot is due, however small the database is.
const BYTES_MIN: u64 = 1 << 20;
/// Largest image, in bytes, of which a snapshot is taken only because the database is put away.
const UNLOAD_IMAGE_MAX: u64 = 8 << 20;
/// Fences and seals without data that may gather before putting away takes a snapshot.
const IDLE_RECORDS_MAX: u64 = 16;

/// Whether a snapshot is due while the database is in use; `snapshot_bytes` is the length of the newest one.
///
/// Replay stays within half a snapshot or a mebibyte, whichever is more, and within 64 records; for a large database
/// the records wait until they are worth a snapshot.
pub fn snapshot_due(debt: Debt, snapshot_bytes: u64) -> bool {
    let worth_it = debt.bytes > BYTES_MIN.max(snapshot_bytes / 2);
    let many = debt.records > RECORDS_MAX.max(snapshot_bytes / BYTES_MIN * 16);
    worth_it || many
}

/// Whether a snapshot is due before the database is put away; `image_bytes` is the length of its image.
pub fn snapshot_due_at_unload(debt: Debt, snapshot_bytes: u64, image_bytes: u64) -> bool {
    let stale = debt.data_records > 0 || debt.records > IDLE_RECORDS_MAX;
    snapshot_due(debt, snapshot_bytes) || (stale && image_bytes < UNLOAD_IMAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn debt(records: u64, bytes: u64) -> Debt {
        Debt { records, data_records: records, bytes }
    }

    #[test]
    fn a_small_database_is_snapshotted_by_records_or_by_bytes() {
        for (debt, due) in [
            (debt(0, 0), false),
            (debt(64, 0), false),
            (debt(65, 0), true),
            (debt(1, MIB), false),
            (debt(1, MIB + 1), true),
        ] {
            assert_eq!(snapshot_due(debt, 60_000), due, "{debt:?}");
        }
    }

    #[test]
    fn a_large_database_waits_until_its_log_is_worth_a_snapshot() {
        let snapshot = 200 * MIB;
        assert!(!snapshot_due(debt(1000, 90 * MIB), snapshot));
        assert!(snapshot_due(debt(1000, 101 * MIB), snapshot));
        assert!(snapshot_due(debt(3201, 10 * MIB), snapshot), "replaying many tiny records takes time, too");
    }

    #[test]
    fn putting_away_snapshots_what_changed_unless_it_is_large() {
        let opened = Debt { records: 1, data_records: 0, bytes: 144 };
        assert!(!snapshot_due_at_unload(opened, 1000, 50_000), "only opened and closed");
        assert!(
            snapshot_due_at_unload(Debt { records: 17, ..opened }, 1000, 50_000),
            "opened and closed often"
        );
        assert!(snapshot_due_at_unload(debt(2, 300), 1000, 50_000));
        assert!(!snapshot_due_at_unload(debt(2, 300), 100 * MIB, 200 * MIB));
    }
}
