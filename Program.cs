using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddMediation().AddPermissions();
var app = builder.Build();
app.UseStatusCodePages(StatusProblems.WriteAsync);
app.Run();
