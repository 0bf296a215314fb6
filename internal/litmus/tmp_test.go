package litmus
import ("testing";"fmt")
func TestTmp(t *testing.T){
 all,err:=Catalogue(); if err!=nil{t.Fatal(err)}
 for _,x:=range all{ fmt.Println("=====",x.ID,x.Title,x.Clauses,x.Profile,x.Reports,x.Quiet)
 for i:=range x.Programs{fmt.Print(x.Print(&x.Programs[i]))}
 for i:=range x.Steps{fmt.Println("  step",x.Step(&x.Steps[i]))}
 for _,a:=range x.Allowed{fmt.Println("  allowed",a.Outcome,a.May,a.Reports)}
 for _,a:=range x.Forbidden{fmt.Println("  forbidden",a.Name,a.Outcome)}
 }
}
