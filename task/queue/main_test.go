package queue_test

import (
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
