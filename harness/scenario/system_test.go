package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// written is a folder with a scenario and the file of its system.
func written(t *testing.T, scenario, system string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{"own-01-x.yaml": scenario, SystemFile: system} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const ownHead = "id: OWN-01\ntitle: a service of one's own\ncategory: my-service\n"
const ownSteps = "steps:\n  - send: {id: a, json: {x: 1}, answers: {200: 1}}\n"

func TestAFolderOfScenariosSharesASystem(t *testing.T) {
	g := NewWithT(t)
	dir := written(t, ownHead+"system: system.yaml\n"+ownSteps, "build: ./service\nargs: ['{{listen}}']\nready: {path: /ok}\n")
	g.Expect(os.Mkdir(filepath.Join(dir, "service"), 0o755)).To(Succeed())
	files, err := Files(dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(HaveLen(1), "the system's file is no scenario")
	s, err := Load(files[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(Lint([]*Scenario{s}, nil)).To(BeEmpty(), "it has a category, an id and promises of its own")
	g.Expect(s.System.Ready.Path).To(Equal("/ok"))
	g.Expect(s.System.Source().Dir).To(Equal(dir))
	g.Expect(s.UsesRedis()).To(BeFalse())
	s.System.Env = map[string]string{"REDIS": "{{redis}}"}
	g.Expect(s.UsesRedis()).To(BeTrue())
	g.Expect((&Scenario{}).UsesRedis()).To(BeTrue(), "the gateway does")
}

func TestMistakesInASystemAreToldWhereTheyAre(t *testing.T) {
	for name, tc := range map[string]struct{ head, system, want string }{
		"an unknown field in the shared file": {"system: system.yaml\n", "biuld: ./x\n", `system.yaml:1:1: biuld: there is no field "biuld" here; did you mean "build"?`},
		"an unknown field in the scenario":    {"system: {biuld: ./x}\n", "", `own-01-x.yaml:4:10: system.biuld: there is no field "biuld" here; did you mean "build"?`},
		"a file that is not there":            {"system: sytem.yaml\n", "", "there is no file "},
		"a file that holds a path":            {"system: system.yaml\n", "other.yaml\n", "holds exactly one mapping"},
		"nothing to start":                    {"system: {args: [x]}\n", "", "0 of build, program, command and url are given"},
		"two things to start":                 {"system: {build: ., command: x}\n", "", "2 of build, program, command and url are given"},
		"a placeholder that is not":           {"system: {command: x, args: ['{{lisen}}']}\n", "", `nothing is called {{lisen}}; did you mean {{listen}}?`},
		"a sink that is not":                  {"sinks: [hock]\nsystem: {command: x, args: ['{{sink.hook}}']}\n", "", `there is no sink "hook"; write sinks: [hook] in the scenario`},
		"settings of the gateway":             {"gateway: {a: 1}\nsystem: {command: x}\n", "", "these are settings of the gateway"},
		"a promise that is not":               {"system: {command: x, promises: [P0]}\n", "", `"P0" is not a promise`},
		"a category of the gateway's":         {"", "", `"my-service" is no category of the gateway's catalogue`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, ownHead+tc.head+ownSteps, tc.system)
			s, err := Load(filepath.Join(dir, "own-01-x.yaml"))
			if err == nil {
				err = Lint([]*Scenario{s}, nil)
			}
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

func TestStepsThatASystemCannotTakeAreRefused(t *testing.T) {
	for step, want := range map[string]string{
		"advance: 1m":             "has no clock",
		"restart: {}":             "belongs to somebody else",
		"kill: {}":                "belongs to somebody else",
		"crash: {at: x}":          "belongs to somebody else",
		"terminate: {replica: 2}": "there is no replica 2",
		"fault: {id: f, target: sink, kind: cut}": "cut",
	} {
		s, err := Parse("own-01-x.yaml", []byte(ownHead+"system: {url: 'http://127.0.0.1:1'}\n"+ownSteps+"  - "+step+"\n"))
		g := NewWithT(t)
		g.Expect(err).NotTo(HaveOccurred(), step)
		g.Expect(Lint([]*Scenario{s}, nil).Error()).To(ContainSubstring(want), step)
	}
}

func TestACrashOfTheGatewayNeedsAProgramOfItsOwn(t *testing.T) {
	g := NewWithT(t)
	text := strings.Replace(sound, "steps:\n", "steps:\n  - crash: {at: settled}\n", 1)
	s, err := Parse("sto-99-x.yaml", []byte(text))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(Lint([]*Scenario{s}, nil).Error()).To(ContainSubstring("write needs: {system: binary}"))
}
