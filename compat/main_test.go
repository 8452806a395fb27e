package compat_test

import (
	"testing"

	"github.com/corobridge/corobridge/internal/seam/seamtest"
)

func TestMain(m *testing.M) { seamtest.Main(m) }
