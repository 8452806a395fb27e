package reactor

import "fmt"

type lossesKey struct{}

// keepLosses sees to it that errors of futures that nobody retrieves are reported: when the future is collected, or by Close.
func (l *Loop) keepLosses() {
	l.Local(lossesKey{}, func() any {
		return l.coros.KeepLosses(func(err error) {
			l.Report(Exception{Op: "future", Err: fmt.Errorf("never retrieved: %w", err)})
		})
	})
}
