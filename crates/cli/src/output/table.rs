//! Rows under headings, each column as wide as its widest cell.

use bits_platform::shown::shown;

/// The lines of a table. The last column is not padded.
pub(crate) fn lines<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    // Sanitised before it is measured, as it will be when it is printed.
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let headings = headings.map(str::to_owned);
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            rows.iter().chain([&headings]).map(|row| row[column].chars().count()).max().unwrap_or(0)
        })
        .collect();
    [&headings].into_iter().chain(&rows).map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [
            ["8e2d".to_owned(), "error".to_owned(), "grüße".to_owned()],
            ["9".to_owned(), "transferring".to_owned(), "a\x1b[31mb\nc".to_owned()],
        ];
        assert_eq!(
            lines(["ID", "STATE", "NAME"], &rows),
            ["ID    STATE         NAME", "8e2d  error         grüße", "9     transferring  ab c"]
        );
    }
}
