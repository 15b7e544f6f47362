package play

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// asTable asks the API server for what kubectl get prints.
const asTable = "application/json;as=Table;g=meta.k8s.io;v=v1"

// table is what kubectl get prints of the scenario's first namespace.
func (w *world) table(ctx context.Context) (any, error) {
	var got struct {
		ColumnDefinitions []struct{ Name string }
		Rows              []struct{ Cells []any }
	}
	path := fmt.Sprintf("/apis/%s/namespaces/%s/remediationrequests", v1alpha1.GroupVersion, w.namespaces[0])
	if err := w.ask(ctx, path, asTable, &got); err != nil {
		return nil, err
	}
	columns, rows := []any{}, []any{}
	for _, c := range got.ColumnDefinitions {
		columns = append(columns, c.Name)
	}
	for _, r := range got.Rows {
		rows = append(rows, r.Cells)
	}
	return map[string]any{"columns": columns, "rows": rows}, nil
}

// explained is the part of an OpenAPI schema that kubectl explain shows.
type explained struct {
	Description string
	Properties  map[string]*explained
	Items       *explained
	Kinds       []struct{ Kind string } `json:"x-kubernetes-group-version-kind"`
}

// explain lists every field of spec and status, as the API server's own document describes it.
func (w *world) explain(ctx context.Context) (any, error) {
	var got struct {
		Components struct{ Schemas map[string]*explained }
	}
	if err := w.ask(ctx, "/openapi/v3/apis/"+v1alpha1.GroupVersion.String(), "application/json", &got); err != nil {
		return nil, err
	}
	out := []any{}
	for _, name := range slices.Sorted(maps.Keys(got.Components.Schemas)) {
		s := got.Components.Schemas[name]
		if len(s.Kinds) != 1 {
			continue // one that others are made of
		}
		for _, part := range []string{"spec", "status"} {
			if p := s.Properties[part]; p != nil {
				out = p.fields(s.Kinds[0].Kind, part, out)
			}
		}
	}
	return out, nil
}

// fields adds a schema and what is in it.
func (s *explained) fields(kind, path string, out []any) []any {
	out = append(out, map[string]any{"kind": kind, "field": path, "description": s.Description})
	in := s
	if s.Items != nil {
		in = s.Items
	}
	for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
		out = in.Properties[name].fields(kind, path+"."+name, out)
	}
	return out
}

// ask reads a document of the API server that is no object, by nobody's door of the proxy.
func (w *world) ask(ctx context.Context, path, accept string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.kubeProxy.RESTConfig().Host+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", accept)
	res, err := w.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the API server for %s: %w", path, err)
	}
	b, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("reading %s of the API server: %w", path, err)
	}
	return nil
}
