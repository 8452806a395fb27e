//go:build gc && !purego && !tinygo && (ppc64 || ppc64le)

#include "textflag.h"

// func Self() ID
TEXT ·Self(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET
