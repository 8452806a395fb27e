package compat_test

import (
	"testing"

	"github.com/corobridge/corobridge/internal/world/worldtest"
)

func TestMain(m *testing.M) { worldtest.Main(m) }
