package asset

import (
	"archive/zip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// project is a folder with cdktf.json that holds the given empty files.
func project(t *testing.T, files ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir()) // macOS's temporary folder is a link
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "cdktf.json") {
		path := filepath.Join(root, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAFunctionIsFoundFromEveryFolderOfTheProject(t *testing.T) {
	root := project(t, "build/functions/linux-arm64/scaler.zip", "constructs/stream/x.go")
	for _, dir := range []string{".", "constructs", "constructs/stream"} {
		t.Chdir(filepath.Join(root, dir))
		got, err := FindFunction("scaler", AWS)
		if want := filepath.Join(root, "build", "functions", "linux-arm64", "scaler.zip"); err != nil || got.Path != want || got.Platform != AWS {
			t.Errorf("from %s: %+v, want %s: %v", dir, got, want, err)
		}
	}
}

func TestAFunctionThatIsNotBuiltForThePlatformSaysRunMakeBuild(t *testing.T) {
	t.Chdir(project(t, "build/functions/linux-arm64/scaler.zip"))
	_, err := FindFunction("scaler", Host)
	if err == nil || !strings.HasPrefix(err.Error(), `function "scaler" is not built for host (`) || !strings.HasSuffix(err.Error(), "; run make build") {
		t.Errorf("error is %v", err)
	}
}

func TestOutsideOfTheProjectTheErrorSaysWhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, err := range []error{second(Root()), second(FindFunction("scaler", AWS))} {
		if err == nil || !strings.Contains(err.Error(), "no cdktf.json in ") || !strings.HasSuffix(err.Error(), "run this in the project's folder") {
			t.Errorf("error is %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheFixtureIsAZipFileWithoutFiles(t *testing.T) {
	f, err := Fixture(t.TempDir())
	if err != nil || f.Platform != AWS {
		t.Fatalf("%+v: %v", f, err)
	}
	archive, err := zip.OpenReader(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if len(archive.File) != 0 {
		t.Errorf("it holds %d files", len(archive.File))
	}
	if _, err := Fixture(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a folder that does not exist is no error")
	}
}

func TestFunctionsRunOnGravitonInAWS(t *testing.T) {
	if got := AWS.Architecture(); got != "arm64" {
		t.Errorf("AWS is %s", got)
	}
	if got, want := Host.Architecture(), map[string]string{"amd64": "x86_64"}[runtime.GOARCH]; want != "" && got != want {
		t.Errorf("host is %s, want %s", got, want)
	}
}

func TestTheTrackerIsWhatItsBuildSays(t *testing.T) {
	root := project(t, "build/tracker/integrity.json")
	t.Chdir(root)
	if err := os.WriteFile(filepath.Join(TrackerDir(root), "integrity.json"), []byte(`{"version":"1.2.3","sha384":"sha384-x","bytes":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := FindTracker(); err != nil || got != (Tracker{"1.2.3", "sha384-x"}) {
		t.Errorf("%+v: %v", got, err)
	}
}

func TestATrackerThatIsNotBuiltSaysRunMakeBuild(t *testing.T) {
	for _, files := range [][]string{nil, {"build/tracker/integrity.json"}} {
		t.Chdir(project(t, files...))
		if _, err := FindTracker(); err == nil || !strings.HasSuffix(err.Error(), "; run make build") {
			t.Errorf("with %v: %v", files, err)
		}
	}
}
