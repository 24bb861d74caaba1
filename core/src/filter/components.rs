use crate::Plane;

/// Which pixels count as neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Left, right, above and below: for holes.
    Four,
    /// Corners too: for objects.
    Eight,
}

/// Neighbouring pixels of one row: `y`, first column, column after the last.
pub type Run = (usize, std::ops::Range<usize>);

/// The connected parts of the pixels whose value is `value`, each as its runs row by row, in the order of their first
/// pixels. Run-based two-pass labelling with union–find.
pub fn components(mask: &Plane<bool>, value: bool, connectivity: Connectivity) -> Vec<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    // Of each run, an earlier run of its component, or itself where it is the first: trees whose roots name components.
    let mut parents: Vec<usize> = Vec::new();
    let reach = usize::from(connectivity == Connectivity::Eight);
    let mut above = 0..0;
    for y in 0..mask.height() {
        let first = runs.len();
        let row = mask.row(y);
        let mut end = 0;
        while let Some(start) = row[end..].iter().position(|&v| v == value).map(|skip| end + skip) {
            end = row[start..].iter().position(|&v| v != value).map_or(row.len(), |length| start + length);
            let this = runs.len();
            runs.push((y, start..end));
            parents.push(this);
            // Runs above that end before this one begins touch no later one either.
            while above.start < above.end && runs[above.start].1.end + reach <= start {
                above.start += 1;
            }
            for touched in above.clone().take_while(|&run| runs[run].1.start < end + reach) {
                let (a, b) = (root(&mut parents, touched), root(&mut parents, this));
                parents[a.max(b)] = a.min(b);
            }
        }
        above = first..runs.len();
    }
    let mut components: Vec<Vec<Run>> = Vec::new();
    // A root is the first run of its component, so that its number is known before it is asked for.
    let mut numbers = vec![0; runs.len()];
    for (index, run) in runs.into_iter().enumerate() {
        let first = root(&mut parents, index);
        if first == index {
            numbers[index] = components.len();
            components.push(Vec::new());
        }
        components[numbers[first]].push(run);
    }
    components
}

/// The root of a run's tree; the way there is halved.
fn root(parents: &mut [usize], mut run: usize) -> usize {
    while parents[run] != run {
        parents[run] = parents[parents[run]];
        run = parents[run];
    }
    run
}
