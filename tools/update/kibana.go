package main

import "fmt"

// Kibana takes saved objects of older versions and brings them up to its own, so they
// are marked as of the oldest 8.x.
const (
	kibanaFolder = "_meta/kibana/7/"
	kibanaCore   = "8.0.0"
	kibanaType   = "7.14.0"
	kibanaSearch = "7.9.3"
	// dataView is the id that libbeat gives the data view which it loads with them.
	dataView = "sipcmbeat-*"
	indexRef = "kibanaSavedObjectMeta.searchSourceJSON.index"
)

// kibana gives the files of the saved objects, one dashboard and an object for each of
// its panels a board.
func kibana(boards []board) (map[string]string, error) {
	made := map[string]string{}
	for _, b := range boards {
		var panels, refs []object
		var at place
		for i := range b.Panels {
			p := &b.Panels[i]
			saved := p.visualization(b)
			if p.As == "list" {
				saved = p.search(b)
			}
			kind, id := saved["type"].(string), saved["id"].(string)
			path := kibanaFolder + kind + "/" + id + ".json"
			if made[path] != "" {
				return nil, fmt.Errorf("%s: two panels are named %q", b.ID, p.Title)
			}
			var err error
			if made[path], err = text(saved); err != nil {
				return nil, err
			}
			x, y := at.next(p.Size[0], p.Size[1], gridWidth)
			number, name := fmt.Sprint(i+1), fmt.Sprintf("panel_%d", i)
			panels = append(panels, object{
				"embeddableConfig": object{"enhancements": object{}}, "panelIndex": number, "panelRefName": name,
				"gridData": object{"x": x, "y": y, "w": p.Size[0], "h": p.Size[1], "i": number},
				"type":     kind, "title": p.Title, "version": kibanaCore,
			})
			refs = append(refs, object{"id": id, "name": name, "type": kind})
		}
		id := "sipcmbeat-" + b.ID
		dashboard, err := text(object{
			"id": id, "type": "dashboard", "references": refs,
			"coreMigrationVersion": kibanaCore, "migrationVersion": object{"dashboard": kibanaType},
			"attributes": object{
				"title": "[sipcmbeat] " + b.Title, "description": b.Description, "hits": 0, "version": 1, "timeRestore": false,
				"kibanaSavedObjectMeta": object{"searchSourceJSON": object{"filter": []any{}, "query": lucene("")}},
				"optionsJSON":           object{"hidePanelTitles": false, "useMargins": true},
				"panelsJSON":            panels,
			},
		})
		if err != nil {
			return nil, err
		}
		made[kibanaFolder+"dashboard/"+id+".json"] = dashboard
	}
	return made, nil
}

func lucene(query string) object { return object{"language": "lucene", "query": query} }

// saved is an object that one panel shows.
func (p *panel) saved(b board, kind, version string, attributes object) object {
	attributes["title"] = "[sipcmbeat] " + b.Title + ": " + p.Title
	attributes["description"], attributes["version"] = "", 1
	attributes["kibanaSavedObjectMeta"] = object{
		"searchSourceJSON": object{"filter": []any{}, "indexRefName": indexRef, "query": lucene(p.Where)},
	}
	return object{
		"id": "sipcmbeat-" + b.ID + "-" + slug(p.Title), "type": kind, "attributes": attributes,
		"references":           []object{{"id": dataView, "name": indexRef, "type": "index-pattern"}},
		"coreMigrationVersion": kibanaCore, "migrationVersion": object{kind: version},
	}
}

func (p *panel) search(b board) object {
	sort := p.Sort
	if sort == "" {
		sort = timeField
	}
	return p.saved(b, "search", kibanaSearch, object{"columns": p.Columns, "hits": 0, "sort": [][]string{{sort, "desc"}}})
}

func (p *panel) visualization(b board) object {
	kind := map[string]string{"number": "metric", "bars": "histogram", "share": "histogram", "line": "line", "pie": "pie", "table": "table"}[p.As]
	state := object{"title": p.Title, "type": kind, "aggs": p.aggs(), "params": p.params(kind)}
	return p.saved(b, "visualization", kibanaType, object{"visState": state, "uiStateJSON": object{}})
}

// aggs are the aggregations as Kibana writes them, outermost first.
func (p *panel) aggs() []object {
	name, field := p.operation()
	params := object{}
	if field != "" {
		params["field"] = field
	}
	if name == "percentiles" {
		params["percents"] = percents
	}
	aggs := []object{{"enabled": true, "id": "1", "schema": "metric", "type": name, "params": params}}
	add := func(schema, kind string, params object) {
		aggs = append(aggs, object{"enabled": true, "id": fmt.Sprint(len(aggs) + 1), "schema": schema, "type": kind, "params": params})
	}
	schema := "group"
	switch p.As {
	case "bars", "share", "line":
		add("segment", "date_histogram", object{"field": timeField, "interval": "auto", "min_doc_count": 1, "useNormalizedEsInterval": true,
			"drop_partials": false, "extended_bounds": object{}})
	case "pie":
		schema = "segment"
	case "table":
		schema = "bucket"
	}
	for _, by := range p.By {
		size := splitSeries
		if p.As == "table" {
			size = tableRows
		}
		add(schema, "terms", object{"field": by, "orderBy": p.order(), "order": "desc", "size": size,
			"otherBucket": false, "otherBucketLabel": "Other", "missingBucket": false, "missingBucketLabel": "Missing"})
	}
	if len(p.Parts) > 0 {
		var filters []object
		for _, part := range p.Parts {
			filters = append(filters, object{"label": part.name, "input": lucene(part.where)})
		}
		add(schema, "filters", object{"filters": filters})
	}
	return aggs
}

// order is the aggregation that tells which terms are the greatest; percentiles have no
// one value.
func (p *panel) order() string {
	if name, _ := p.operation(); name == "percentiles" {
		return "_key"
	}
	return "1"
}

// params say how a visualisation looks.
func (p *panel) params(kind string) object {
	legend := object{"addLegend": true, "addTooltip": true, "legendPosition": "right"}
	switch kind {
	case "metric":
		return object{"type": kind, "addTooltip": true, "addLegend": false, "metric": object{
			"colorSchema": "Green to Red", "colorsRange": []object{{"from": 0, "to": 10000}}, "invertColors": false,
			"labels": object{"show": false}, "metricColorMode": "None", "percentageMode": false, "useRanges": false,
			"style": object{"bgColor": false, "bgFill": "#000", "fontSize": 36, "labelColor": false, "subText": ""},
		}}
	case "pie":
		legend["type"], legend["isDonut"] = kind, true
		legend["labels"] = object{"show": true, "values": true, "last_level": true, "truncate": 100}
		return legend
	case "table":
		return object{"perPage": 10, "showPartialRows": false, "showMetricsAtAllLevels": false, "showTotal": false,
			"showToolbar": true, "totalFunc": "sum", "percentageCol": ""}
	}
	mode, scale := "stacked", "normal"
	if p.As == "share" {
		scale = "percentage"
	}
	if kind == "line" {
		mode = "normal"
	}
	name, _ := p.operation()
	title := "Records"
	if name != "count" {
		title = p.Title
	}
	legend["type"], legend["times"], legend["addTimeMarker"] = kind, []any{}, false
	legend["grid"] = object{"categoryLines": false}
	legend["categoryAxes"] = []object{{"id": "CategoryAxis-1", "type": "category", "position": "bottom", "show": true, "style": object{},
		"scale": object{"type": "linear"}, "labels": object{"show": true, "filter": true, "truncate": 100}, "title": object{}}}
	legend["valueAxes"] = []object{{"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left", "show": true, "style": object{},
		"scale":  object{"type": "linear", "mode": scale},
		"labels": object{"show": true, "rotate": 0, "filter": false, "truncate": 100}, "title": object{"text": title}}}
	legend["seriesParams"] = []object{{"show": true, "type": kind, "mode": mode, "valueAxis": "ValueAxis-1",
		"data": object{"id": "1", "label": title}, "drawLinesBetweenPoints": true, "showCircles": true}}
	return legend
}
