// Package modeltest holds random programs of tasks to a model of what they have to do. All of it is
// in its tests:
//
//   - program_test.go is a small language, read from bytes: tasks that spawn, await, fail, panic,
//     cancel, wait for locks and queues, and more.
//   - machine_test.go runs a program in a world, and writes down what each step gave.
//   - library_test.go and library_things_test.go are one world: packages future and task.
//     model_test.go and the other files of the model are the same world in little, and import
//     neither: goroutines that pass the right to run from one to the next.
//   - exact_test.go runs a program in both, on one loop whose clock stands still while there is
//     work, so that everything is determined. It wants to see the same: each result, in the same
//     order, at the same time.
//   - crowd_test.go runs it on several loops and goroutines at once, where not everything is
//     determined, and looks at what has to hold all the same; ledger_test.go keeps the books.
//
// The trees of contexts, by which cancellations come, have a language of their own:
//
//   - branches_program_test.go is that language: who makes a context of which, in a task, a
//     callback or a goroutine; what ends by itself, and what is cancelled.
//   - model_branches_test.go is the model, which says why each context has ended, or may have
//     where things race. branches_plan_test.go says which moves are possible.
//   - branches_library_test.go does the same with the library, and branches_test.go compares.
package modeltest
