//go:build gc && !purego && !tinygo

#include "textflag.h"

// func Self() ID
//
// The assembler turns (TLS) into the sequence that the system and the build mode need.
TEXT ·Self(SB), NOSPLIT, $0-4
	MOVL (TLS), AX
	MOVL AX, ret+0(FP)
	RET
