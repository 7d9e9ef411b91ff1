using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Accounts;

/// <summary>Who is to become a member, and of what.</summary>
/// <param name="Email">Whoever has this address; an account need not be there yet.</param>
/// <param name="Role">In the project.</param>
/// <param name="Scopes">Only these permissions of the role.</param>
/// <param name="Queues">Only jobs of these queues.</param>
/// <param name="Tags">Only configuration that has one of these tags, and what comes of it.</param>
/// <param name="Owner"><c>self</c>: only configuration that the member made, and what comes of it.</param>
/// <param name="Hours">Only at these hours.</param>
/// <param name="AllowNetworks">Only from these networks.</param>
public sealed record InvitationDocument(
    [property: MinLength(3), MaxLength(EmailAddress.MaxLength)] string Email,
    string? Role,
    IReadOnlyList<string>? Scopes = null,
    IReadOnlyList<string>? Queues = null,
    IReadOnlyList<string>? Tags = null,
    string? Owner = null,
    Hours? Hours = null,
    IReadOnlyList<string>? AllowNetworks = null
) : IGrants, IExampled<InvitationDocument>
{
    public static InvitationDocument Example => new("grace@example.com", "operator", Queues: ["default"]);
}

/// <summary>What makes an invitation sound.</summary>
public sealed class InvitationRules : AbstractValidator<InvitationDocument>
{
    public InvitationRules()
    {
        RuleFor(document => document.Email).IsEmail();
        this.GrantAccess();
    }
}

/// <summary>An invitation as the API shows it; never its token.</summary>
/// <param name="ExpiresAt">Then it is worth nothing.</param>
/// <param name="Sent">Whether it is on its way by mail; else somebody prints it by <c>bellhop users invite</c>. Shown when it is made.</param>
public sealed record Invitation(
    Guid Id,
    [property: MaxLength(EmailAddress.MaxLength)] string Email,
    [property: MaxLength(63)] string Role,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxScopes), Each(63)]
        IReadOnlyList<string>? Scopes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxQueues), Each(100)]
        IReadOnlyList<string>? Queues,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxTags), Each(63)]
        IReadOnlyList<string>? Tags,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(63)] string? Owner,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Hours? Hours,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        MaxLength(AccessRules.MaxNetworks),
        Each(AccessRules.MaxNetworkLength)
    ]
        IReadOnlyList<string>? AllowNetworks,
    DateTime CreatedAt,
    [property: MaxLength(300)] string CreatedBy,
    DateTime ExpiresAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Sent = null
) : IExampled<Invitation>
{
    public static Invitation Example =>
        Of(
            Story.Rejection,
            "grace@example.com",
            "operator",
            new Access { Queues = ["default"] },
            Story.SetUpAt,
            "user:ada@example.com",
            Story.SetUpAt.AddHours(72)
        ) with
        {
            Sent = true,
        };

    internal static Invitation Of(
        Guid id,
        string email,
        string role,
        Access access,
        DateTime createdAt,
        string createdBy,
        DateTime expiresAt
    ) =>
        new(
            id,
            email,
            role,
            access.Scopes,
            access.Queues,
            access.Tags,
            access.Owner,
            access.Hours,
            access.AllowNetworks,
            createdAt,
            createdBy,
            expiresAt
        );
}

/// <summary>An invitation's row without what proves it.</summary>
internal sealed record InvitationRow(
    Guid Id,
    string Email,
    string Role,
    string Access,
    DateTime CreatedAt,
    string CreatedBy,
    DateTime ExpiresAt
)
{
    public Invitation ToInvitation() =>
        Invitation.Of(Id, Email, Role, Infrastructure.Auth.Access.Read(Access), CreatedAt, CreatedBy, ExpiresAt);
}
