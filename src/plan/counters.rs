//! The figures that a node and each of its workers print alike: execution, blocks, sorts, tables.

use super::build::{Scalar, keep, possible};
use super::{Buffers, GroupSpace, Hash, IoTimes, Memoize, Ran, Sort, SortSpace, Wal};
use crate::units::{Blocks, Bytes, Millis, Rows};
use serde_json::Value;

/// Figures of one node or one worker while they are being read.
#[derive(Default)]
pub(super) struct Counters {
    startup_time: Option<f64>,
    total_time: Option<f64>,
    rows: Option<f64>,
    loops: Option<f64>,
    sort_method: Option<String>,
    sort_space_type: Option<String>,
    sort_space_used: Option<f64>,
    pub(super) buffers: Option<Buffers>,
    pub(super) io: Option<IoTimes>,
    pub(super) wal: Option<Wal>,
    pub(super) tables: Tables,
    pub(super) full_sort_groups: Option<GroupSpace>,
    pub(super) presorted_groups: Option<GroupSpace>,
    pub(super) exact_heap_blocks: Option<Blocks>,
    pub(super) lossy_heap_blocks: Option<Blocks>,
}

/// A hash table or a Memoize cache: `Peak Memory Usage` is a key of both.
#[derive(Default)]
pub(super) struct Tables {
    hash: Option<Hash>,
    memoize: Option<Memoize>,
    peak_memory: Option<Bytes>,
}

impl Tables {
    pub(super) fn split(mut self, memoize: bool) -> (Option<Hash>, Option<Memoize>) {
        if let Some(peak) = self.peak_memory {
            if memoize {
                self.memoize.get_or_insert_default().peak_memory = Some(peak);
            } else {
                self.hash.get_or_insert_default().peak_memory = Some(peak);
            }
        }
        (self.hash, self.memoize)
    }
}

impl Wal {
    /// Other notations print no WAL line where nothing was written.
    pub(super) fn is_zero(&self) -> bool {
        self.records == 0.0
            && self.full_page_images == 0.0
            && self.bytes == Bytes(0)
            && self.buffers_full.unwrap_or(0.0) == 0.0
    }
}

impl Counters {
    /// Takes the value, or gives it back where the key is not one of ours.
    pub(super) fn scalar<'a>(&mut self, key: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
        let known = match &value {
            Scalar::Number(number, _) => self.number(key, *number),
            Scalar::Text(text) => match key {
                "Sort Method" => {
                    self.sort_method = Some(text.to_string());
                    true
                }
                "Sort Space Type" => {
                    self.sort_space_type = Some(text.to_string());
                    true
                }
                "Cache Mode" => {
                    self.tables.memoize.get_or_insert_default().mode = Some(text.to_string());
                    true
                }
                _ => text.parse().is_ok_and(|number| possible(number) && self.number(key, number)),
            },
            Scalar::Bool(_) | Scalar::Null => false,
        };
        (!known).then_some(value)
    }

    pub(super) fn number(&mut self, key: &str, number: f64) -> bool {
        if key.ends_with(" Blocks") && self.blocks(key, Blocks(number as i64)) {
            return true;
        }
        if key.ends_with("Time") && self.time(key, Millis(number)) {
            return true;
        }
        let bytes = || Some(Bytes::from_kb(number));
        match key {
            "Actual Rows" => self.rows = Some(number),
            "Actual Loops" => self.loops = Some(number),
            "Sort Space Used" => self.sort_space_used = Some(number),
            "Peak Memory Usage" => self.tables.peak_memory = bytes(),
            _ => {
                let tables = &mut self.tables;
                if key.starts_with("WAL ") {
                    return self.wal(key, number);
                } else if let Some(key) = key.strip_prefix("Cache ") {
                    return memoize(&mut tables.memoize, key, number);
                }
                let mut hash = tables.hash.unwrap_or_default();
                match key {
                    "Hash Buckets" => hash.buckets = Some(number),
                    "Original Hash Buckets" => hash.original_buckets = Some(number),
                    "Hash Batches" | "HashAgg Batches" => hash.batches = Some(number),
                    "Original Hash Batches" => hash.original_batches = Some(number),
                    "Planned Partitions" => hash.planned_partitions = Some(number),
                    "Disk Usage" => hash.disk = bytes(),
                    _ => return false,
                }
                tables.hash = Some(hash);
            }
        }
        true
    }

    fn blocks(&mut self, key: &str, blocks: Blocks) -> bool {
        match key {
            "Exact Heap Blocks" => self.exact_heap_blocks = Some(blocks),
            "Lossy Heap Blocks" => self.lossy_heap_blocks = Some(blocks),
            _ => return set_buffers(&mut self.buffers, key, blocks),
        }
        true
    }

    fn time(&mut self, key: &str, time: Millis) -> bool {
        match key {
            "Actual Startup Time" => self.startup_time = Some(time.0),
            "Actual Total Time" => self.total_time = Some(time.0),
            _ => return set_io(&mut self.io, key, time),
        }
        true
    }

    fn wal(&mut self, key: &str, number: f64) -> bool {
        let mut wal = self.wal.unwrap_or_default();
        match key {
            "WAL Records" => wal.records = number,
            "WAL FPI" => wal.full_page_images = number,
            "WAL Bytes" => wal.bytes = Bytes(number as i64),
            "WAL Buffers Full" => wal.buffers_full = Some(number),
            _ => return false,
        }
        self.wal = Some(wal);
        true
    }

    /// The execution, where it is complete: rows and loops are printed by every ANALYZE.
    pub(super) fn ran(&self, extra: &mut Vec<(String, Value)>) -> Option<Ran> {
        if let (Some(rows), Some(loops)) = (self.rows, self.loops) {
            let (startup_time, total_time) = (self.startup_time.map(Millis), self.total_time.map(Millis));
            return Some(Ran { startup_time, total_time, rows: Rows(rows), loops });
        }
        let names = ["Actual Startup Time", "Actual Total Time", "Actual Rows", "Actual Loops"];
        keep(extra, names.into_iter().zip([self.startup_time, self.total_time, self.rows, self.loops]));
        None
    }

    pub(super) fn sort(&self, extra: &mut Vec<(String, Value)>) -> Option<Sort> {
        let space = match self.sort_space_type.as_deref() {
            Some("Memory") => Some(SortSpace::Memory),
            Some("Disk") => Some(SortSpace::Disk),
            _ => None,
        };
        if let (Some(method), Some(space), Some(used)) = (&self.sort_method, space, self.sort_space_used) {
            return Some(Sort { method: method.clone(), space, used: Bytes::from_kb(used) });
        }
        let texts = [("Sort Method", &self.sort_method), ("Sort Space Type", &self.sort_space_type)];
        extra
            .extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into()))));
        keep(extra, [("Sort Space Used", self.sort_space_used)]);
        None
    }
}

/// Sets one block counter; false where `key` is none.
pub(super) fn set_buffers(buffers: &mut Option<Buffers>, key: &str, blocks: Blocks) -> bool {
    let mut new = buffers.unwrap_or_default();
    let field = match key {
        "Shared Hit Blocks" => &mut new.shared_hit,
        "Shared Read Blocks" => &mut new.shared_read,
        "Shared Dirtied Blocks" => &mut new.shared_dirtied,
        "Shared Written Blocks" => &mut new.shared_written,
        "Local Hit Blocks" => &mut new.local_hit,
        "Local Read Blocks" => &mut new.local_read,
        "Local Dirtied Blocks" => &mut new.local_dirtied,
        "Local Written Blocks" => &mut new.local_written,
        "Temp Read Blocks" => &mut new.temp_read,
        "Temp Written Blocks" => &mut new.temp_written,
        _ => return false,
    };
    *field = blocks;
    *buffers = Some(new);
    true
}

/// Sets one I/O time; false where `key` is none.
pub(super) fn set_io(io: &mut Option<IoTimes>, key: &str, time: Millis) -> bool {
    let mut new = io.unwrap_or_default();
    let field = match key {
        "I/O Read Time" | "Shared I/O Read Time" => &mut new.shared_read,
        "I/O Write Time" | "Shared I/O Write Time" => &mut new.shared_write,
        "Local I/O Read Time" => &mut new.local_read,
        "Local I/O Write Time" => &mut new.local_write,
        "Temp I/O Read Time" => &mut new.temp_read,
        "Temp I/O Write Time" => &mut new.temp_write,
        _ => return false,
    };
    *field = Some(time);
    *io = Some(new);
    true
}

fn memoize(memoize: &mut Option<Memoize>, key: &str, number: f64) -> bool {
    let mut new = memoize.take().unwrap_or_default();
    let field = match key {
        "Hits" => &mut new.hits,
        "Misses" => &mut new.misses,
        "Evictions" => &mut new.evictions,
        "Overflows" => &mut new.overflows,
        _ => return false,
    };
    *field = Some(number);
    *memoize = Some(new);
    true
}
