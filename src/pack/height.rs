//! How high a B-tree is, where nobody could ask it.
//!
//! Refuses to be exact: a page more or less on an inner level is a level more or less at the border between two.

/// Bytes of an inner page that pivot tuples fill: (8192 - 24 - 16) at the fill factor of 70 % that builds leave.
const INNER_BYTES: f64 = 8152.0 * 0.7;
/// Line pointer and tuple header of a pivot tuple.
const PIVOT_BYTES: f64 = 4.0 + 8.0;

/// Levels above the leaves of a B-tree of `blocks` blocks whose keys are `width` bytes wide.
pub fn modelled(blocks: f64, width: f64) -> u32 {
    let fan_out = (INNER_BYTES / (PIVOT_BYTES + (width / 8.0).ceil() * 8.0)).max(2.0);
    // One block is the metapage.
    let mut pages = (blocks - 1.0).max(1.0);
    let mut height = 0;
    while pages > 1.0 && height < 20 {
        pages = (pages / fan_out).ceil();
        height += 1;
    }
    height
}

#[cfg(test)]
mod tests {
    use super::modelled;

    #[test]
    fn a_tree_grows_by_its_fan_out() {
        // An index on 1.2 million bigints has 3,292 blocks and two levels above its leaves.
        for (blocks, height) in [(1.0, 0), (2.0, 0), (3.0, 1), (250.0, 1), (3_292.0, 2), (200_000.0, 3)] {
            assert_eq!(modelled(blocks, 8.0), height, "{blocks}");
        }
    }
}
