package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shopstream/shopstream/test/results"
)

// leastKilled is the share of mutants that the tests must notice.
const leastKilled = 0.9

// oneIn thins the mutants out: neighbours are alike.
const oneIn = 3

// validator are the files in which a mistake lets through what breaks the
// contract, or refuses what keeps it.
var validator = []string{"batch.go", "check.go", "contract.go", "decode.go"}

// mutant is a file with one mistake in it.
type mutant struct {
	file, what string
	text       []byte
}

// BenchmarkValidatorMutants makes a small mistake in the validator, one at a
// time and each of a kind wherever it can be made, and runs this package's
// short tests on it: they must fail. It counts mutants that compile.
func BenchmarkValidatorMutants(b *testing.B) {
	var all []mutant
	for _, file := range validator {
		for i, m := range mutantsOf(b, file) {
			if i%oneIn == 0 {
				all = append(all, m)
			}
		}
	}
	verdicts := make([]error, len(all))
	work := make(chan int)
	var workers sync.WaitGroup
	dir := b.TempDir()
	for range 2 {
		workers.Go(func() {
			for i := range work {
				verdicts[i] = run(b.Context(), filepath.Join(dir, strconv.Itoa(i)), all[i])
			}
		})
	}
	for i := range all {
		work <- i
	}
	close(work)
	workers.Wait()
	killed, mutants := 0, 0
	for i, verdict := range verdicts {
		switch {
		case errors.Is(verdict, errDoesNotCompile):
			continue
		case verdict != nil:
			killed++
		default:
			b.Logf("survives: %s: %s", all[i].file, all[i].what)
		}
		mutants++
	}
	rate := float64(killed) / float64(mutants)
	b.Logf("the tests kill %d of %d mutants of %v: %.3f", killed, mutants, validator, rate)
	results.Write(b,
		results.Result{Name: "mutants", Value: float64(mutants), Unit: "count", Input: "validator"},
		results.Result{Name: "killed", Value: rate, Unit: "share", Input: "validator"})
	if rate < leastKilled {
		b.Errorf("the tests kill %.3f of the mutants, want %.2f", rate, leastKilled)
	}
}

var (
	errDoesNotCompile = errors.New("does not compile")
	errKilled         = errors.New("killed")
)

// run returns whether the tests fail, or that they cannot be run.
func run(ctx context.Context, path string, m mutant) error {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: path + ".go"}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(path+".go", m.text, 0o600), os.WriteFile(path+".json", overlay, 0o600)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	binary := path + ".test"
	defer os.Remove(binary)
	if exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", path+".json", "-o", binary, ".").Run() != nil {
		return errDoesNotCompile
	}
	// A mistake may make a loop without an end, or one that takes all memory.
	limited := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.timeout", "30s")
	limited.Env = append(os.Environ(), "GOMEMLIMIT=1GiB")
	if limited.Run() != nil {
		return errKilled
	}
	return nil
}

// mutantsOf makes every mistake of a file that is of one of our kinds.
func mutantsOf(b *testing.B, name string) (all []mutant) {
	b.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		b.Fatal(err)
	}
	try := func(at ast.Node, what string, change, restore func()) {
		change()
		defer restore()
		var text bytes.Buffer
		if err := format.Node(&text, files, file); err != nil {
			b.Fatal(err)
		}
		all = append(all, mutant{name, fmt.Sprintf("line %d: %s", files.Position(at.Pos()).Line, what), text.Bytes()})
	}
	negate := func(condition *ast.Expr, what string) {
		was := *condition
		try(was, what, func() { *condition = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: was}} }, func() { *condition = was })
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			negate(&n.Cond, "if the opposite")
		case *ast.SwitchStmt:
			for _, clause := range n.Body.List {
				for i := range clause.(*ast.CaseClause).List {
					if n.Tag == nil {
						negate(&clause.(*ast.CaseClause).List[i], "case of the opposite")
					}
				}
			}
		case *ast.BinaryExpr:
			was := n.Op
			for _, op := range operators[was] {
				try(n, fmt.Sprintf("%s instead of %s", op, was), func() { n.Op = op }, func() { n.Op = was })
			}
		case *ast.BasicLit:
			if n.Kind == token.INT {
				was := n.Value
				value, err := strconv.ParseInt(was, 0, 64)
				if err != nil {
					b.Fatal(err)
				}
				for _, other := range []int64{value + 1, value - 1} {
					try(n, fmt.Sprintf("%d instead of %s", other, was), func() { n.Value = strconv.FormatInt(other, 10) }, func() { n.Value = was })
				}
			}
		case *ast.BlockStmt:
			drop(n.List, try)
		case *ast.CaseClause:
			drop(n.Body, try)
		}
		return true
	})
	return all
}

var operators = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL}, token.LAND: {token.LOR}, token.LOR: {token.LAND}, token.ADD: {token.SUB}, token.SUB: {token.ADD},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR}, token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
}

// drop leaves out each statement that is not needed to compile.
func drop(list []ast.Stmt, try func(ast.Node, string, func(), func())) {
	for i, was := range list {
		switch s := was.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.BranchStmt, *ast.DeferStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		try(was, "a statement less", func() { list[i] = &ast.EmptyStmt{Semicolon: was.Pos(), Implicit: true} }, func() { list[i] = was })
	}
}
