// Package testkit is what the tests of this module share. It is above packages reactor and task, so
// the tests of what is below them use it from outside, as package coro_test does.
//
//   - Nothing is left behind: [Main] looks for goroutines, [Guard] for descriptors. [Watch] and
//     [Guard] end a test that hangs.
//   - Loops: [NewLoop], [StartLoop], [NewGroup] and [StartGroup] make loops that are closed at the
//     end of the test. Their exceptions fail it, unless [Exceptions] collects them. [OnLoop],
//     [InTask] and [Run] run a function there and wait for it.
//   - What is wanted: [Panics], [ErrorIs], [Eventually].
//
// Failure texts say what was wanted. In a loop callback only [Panics], [PanicOf], [ErrorIs],
// [Must], [Check] and [OK] may be called.
package testkit
