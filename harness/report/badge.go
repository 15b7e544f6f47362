package report

import (
	"fmt"
	"html"
	"io"
)

// WriteBadge writes an SVG for a README: the word stormproof, the verdict and the count, so
// that nobody has to tell colours apart.
func WriteBadge(w io.Writer, r Report) error {
	const left, letter, height = "stormproof", 6.6, 20
	colour := map[Verdict]string{VerdictPass: "#1a7f37", VerdictFail: "#b42318"}[r.Verdict()]
	if colour == "" {
		colour = "#57606a"
	}
	right := string(r.Verdict())
	if r.Totals.Scenarios > 0 {
		right = fmt.Sprintf("%s %d/%d", right, r.Totals.Passed, r.Totals.Expected)
	}
	widthOf := func(s string) float64 { return letter*float64(len(s)) + 12 }
	a, b := widthOf(left), widthOf(right)
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" role="img" aria-label="%s: %s">
<title>%[3]s: %[4]s</title>
<rect width="%.0[1]f" height="%[2]d" rx="3" fill="#24292f"/>
<path d="M%.0[5]f 0h%.0[6]f a3 3 0 0 1 3 3v14a3 3 0 0 1 -3 3h-%.0[6]f z" fill="%[7]s"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="%.1[8]f" y="14">%[3]s</text><text x="%.1[9]f" y="14">%[4]s</text>
</g>
</svg>
`, a+b, height, left, html.EscapeString(right), a, b-3, colour, a/2, a+b/2)
	return err
}
