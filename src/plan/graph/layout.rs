//! A layered layout: what waits stands below what it waits for. Whole numbers only, so that it is the same everywhere.

/// Between two layers, in pixels.
const LAYER_GAP: i32 = 40;
/// Between two neighbours, in pixels.
const GAP: i32 = 28;
/// Width that a line needs where it passes a layer, in pixels.
const LANE: i32 = 8;
/// Most places at which lines pass layers; lines beyond that go straight.
const LANES_MAX: usize = 10_000;

/// Width and height of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) w: i32,
    pub(super) h: i32,
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// Where everything is: the upper left corner of every box, and the way of every link.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) spots: Vec<Point>,
    pub(super) routes: Vec<Vec<Point>>,
    pub(super) size: Size,
}

/// A box, or the place at which a line passes a layer.
#[derive(Debug, Clone, Copy)]
struct Cell {
    size: Size,
    layer: usize,
    at: Point,
}

impl Cell {
    const fn centre(&self) -> i32 {
        self.at.x + self.size.w / 2
    }
}

/// Lays boxes out; a link goes from the first to the second.
pub(super) fn lay(boxes: &[Size], links: &[(usize, usize)]) -> Placed {
    let layers = layers(boxes.len(), links);
    let mut cells: Vec<Cell> = boxes
        .iter()
        .zip(&layers)
        .map(|(size, layer)| Cell {
            size: *size,
            layer: *layer,
            at: Point { x: 0, y: 0 },
        })
        .collect();
    let chains = chains(&mut cells, links);
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); cells.len()];
    for chain in &chains {
        for (from, to) in chain.iter().zip(chain.iter().skip(1)) {
            if let Some(list) = above.get_mut(*to) {
                list.push(*from);
            }
        }
    }
    let count = layers.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, cell) in cells.iter().enumerate() {
        if let Some(row) = rows.get_mut(cell.layer) {
            row.push(index);
        }
    }
    for row in &mut rows {
        place_row(&mut cells, &above, row);
    }
    let bands = bands(&mut cells, &rows);
    finish(&mut cells, boxes.len(), &chains, &bands)
}

/// The layer of every box: one more than the deepest that it waits for.
fn layers(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let mut layers = vec![0; count];
    for _ in 0..count {
        let mut changed = false;
        for &(from, to) in links {
            let least = layers.get(from).map_or(0, |layer: &usize| layer + 1);
            if let Some(layer) = layers.get_mut(to)
                && *layer < least
                && least < count
            {
                *layer = least;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

/// The cells that each link goes through, new ones for the layers that it passes.
fn chains(cells: &mut Vec<Cell>, links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut left = LANES_MAX;
    let mut chains = Vec::with_capacity(links.len());
    for &(from, to) in links {
        let layer = |index: usize| cells.get(index).map_or(0, |cell| cell.layer);
        let between = layer(from) + 1..layer(to);
        let mut chain = vec![from];
        if between.len() <= left {
            left -= between.len();
            for layer in between {
                chain.push(cells.len());
                cells.push(Cell {
                    size: Size { w: LANE, h: 0 },
                    layer,
                    at: Point { x: 0, y: 0 },
                });
            }
        }
        chain.push(to);
        chains.push(chain);
    }
    chains
}

/// Orders a row by what stands above, and puts every cell as near below it as its neighbours allow.
fn place_row(cells: &mut [Cell], above: &[Vec<usize>], row: &mut [usize]) {
    let wish = |cells: &[Cell], index: usize| -> Option<i32> {
        let above = above.get(index).filter(|above| !above.is_empty())?;
        let centres = above.iter().filter_map(|from| cells.get(*from));
        let sum: i64 = centres.map(|cell| i64::from(cell.centre())).sum();
        let count = i64::try_from(above.len()).ok()?;
        i32::try_from(sum.checked_div(count)?).ok()
    };
    row.sort_by_key(|index| wish(cells, *index).unwrap_or(i32::MIN));
    let mut free = i32::MIN;
    let (mut drift, mut wishes) = (0_i64, 0_i64);
    for &index in row.iter() {
        let wished = wish(cells, index);
        let Some(cell) = cells.get_mut(index) else {
            continue;
        };
        let wanted = wished.map_or_else(|| free.max(0), |centre| centre - cell.size.w / 2);
        cell.at.x = wanted.max(free);
        free = cell.at.x + cell.size.w + GAP;
        drift += i64::from(cell.at.x) - i64::from(wanted);
        wishes += 1;
    }
    let back = drift.checked_div(wishes).unwrap_or(0);
    let back = i32::try_from(back).unwrap_or(0);
    for &index in row.iter() {
        if let Some(cell) = cells.get_mut(index) {
            cell.at.x -= back;
        }
    }
}

/// Gives every row its height; returns top and bottom of each.
fn bands(cells: &mut [Cell], rows: &[Vec<usize>]) -> Vec<(i32, i32)> {
    let mut top = 0;
    let mut bands = Vec::with_capacity(rows.len());
    for row in rows {
        let heights = row.iter().filter_map(|index| cells.get(*index));
        let height = heights.map(|cell| cell.size.h).max().unwrap_or(0);
        for index in row {
            if let Some(cell) = cells.get_mut(*index) {
                cell.at.y = top + (height - cell.size.h) / 2;
            }
        }
        bands.push((top, top + height));
        top += height + LAYER_GAP;
    }
    bands
}

fn finish(cells: &mut [Cell], boxes: usize, chains: &[Vec<usize>], bands: &[(i32, i32)]) -> Placed {
    let left = cells.iter().map(|cell| cell.at.x).min().unwrap_or(0);
    for cell in cells.iter_mut() {
        cell.at.x -= left;
    }
    let right = cells.iter().map(|cell| cell.at.x + cell.size.w).max();
    let bottom = bands.last().map_or(0, |band| band.1);
    let routes = chains
        .iter()
        .map(|chain| route(cells, boxes, chain, bands))
        .collect();
    Placed {
        spots: cells.iter().take(boxes).map(|cell| cell.at).collect(),
        routes,
        size: Size {
            w: right.unwrap_or(0),
            h: bottom,
        },
    }
}

fn route(cells: &[Cell], boxes: usize, chain: &[usize], bands: &[(i32, i32)]) -> Vec<Point> {
    let mut points = Vec::new();
    let last = chain.len().saturating_sub(1);
    for (place, index) in chain.iter().enumerate() {
        let Some(cell) = cells.get(*index) else {
            continue;
        };
        let x = cell.centre();
        if *index >= boxes {
            let (top, bottom) = bands.get(cell.layer).copied().unwrap_or_default();
            points.push(Point { x, y: top });
            points.push(Point { x, y: bottom });
        } else if place == last {
            points.push(Point { x, y: cell.at.y });
        } else {
            let y = cell.at.y + cell.size.h;
            points.push(Point { x, y });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { w: 100, h: 40 };

    #[test]
    fn boxes_stand_below_what_they_wait_for_and_never_on_each_other() {
        // A diamond, a line past a layer, and one that waits for nothing.
        let links = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)];
        let placed = lay(&[SIZE; 5], &links);
        for (from, to) in links {
            assert!(placed.spots[to].y >= placed.spots[from].y + SIZE.h + LAYER_GAP);
        }
        assert_eq!(placed.spots[4].y, 0);
        for (index, a) in placed.spots.iter().enumerate() {
            assert!(a.x >= 0 && a.x + SIZE.w <= placed.size.w, "{placed:?}");
            for b in placed.spots.iter().skip(index + 1) {
                assert!(
                    a.y != b.y || (a.x - b.x).abs() >= SIZE.w + GAP,
                    "{placed:?}"
                );
            }
        }
        // The long line passes between the two of the middle layer.
        let long = &placed.routes[4];
        assert_eq!(long.len(), 4);
        for spot in [placed.spots[1], placed.spots[2]] {
            assert!(
                long[1].x < spot.x || long[1].x > spot.x + SIZE.w,
                "{placed:?}"
            );
        }
    }

    #[test]
    fn a_circle_and_nothing_at_all_have_a_layout_too() {
        assert_eq!(lay(&[], &[]).size, Size { w: 0, h: 0 });
        assert_eq!(lay(&[SIZE; 2], &[(0, 1), (1, 0)]).spots.len(), 2);
    }
}
