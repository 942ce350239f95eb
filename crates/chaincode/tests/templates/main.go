// Executes templates as Fabric's ccaas builder does: read from standard input, one answer each.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type question struct {
	Data      map[string]interface{}
	Templates []string
}

type answer struct {
	Output string
	Error  string
}

func execute(text string, data map[string]interface{}) answer {
	parsed, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var output strings.Builder
	if err := parsed.Execute(&output, data); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Output: output.String()}
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	answers := []answer{}
	for _, text := range asked.Templates {
		answers = append(answers, execute(text, asked.Data))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
