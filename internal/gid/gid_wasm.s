//go:build gc && !purego && !tinygo

#include "textflag.h"

// func Self() ID
TEXT ·Self(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET
